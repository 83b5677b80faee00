"""What the report calls things: names and meanings for people who did not train it."""

from __future__ import annotations

from typing import Any

METRICS: dict[str, tuple[str, str]] = {  # in the order of the report's table
    "accuracy": ("Accuracy", "texts that get the right label"),
    "entity_f1": ("Entity F1", "balance of entities found and false alarms"),
    "macro_f1": ("Macro F1", "balance of found and false, each label counting the same"),
    "micro_f1": ("Micro F1", "balance of found and false, each decision counting the same"),
    "precision": ("Precision", "of the entities it reports, how many are right"),
    "recall": ("Recall", "of the entities there are, how many it finds"),
    "subset_accuracy": ("Whole texts right", "every label right and none too many"),
    "text_accuracy": ("Whole texts right", "every entity right and none too many"),
    "out_of_scope_recall": ("Outsiders noticed", "texts that fit no label and were declined"),
    "out_of_scope_auroc": ("Outsiders told apart", "chance that an outsider looks stranger"),
    "coverage": ("Answered", "texts it does not decline to answer"),
    "selective_accuracy": ("Right when it answers", "right among the texts it answers"),
    "ece": ("Calibration error", "average gap between said and true confidence"),
    "majority_accuracy": ("Commonest label", "accuracy of always giving the commonest label"),
    "accuracy_abstained_wrong": ("Right and answered", "accuracy, silence being an error"),
    "in_scope_rejected": ("Turned away wrongly", "texts that fit a label but were declined"),
    "macro_precision": ("Macro precision", "of what it calls a label, how much is right"),
    "macro_recall": ("Macro recall", "of what has a label, how much it finds"),
    "balanced_accuracy": ("Balanced accuracy", "accuracy, each label counting the same"),
    "micro_precision": ("Micro precision", "of all labels given, how many are right"),
    "micro_recall": ("Micro recall", "of all labels there are, how many are given"),
    "samples_f1": ("F1 by text", "balance of found and false, text by text"),
    "hamming_loss": ("Wrong decisions", "share of all yes-or-no decisions that are wrong"),
    "rouge_l": ("ROUGE-L", "words in the reference's order, found and false balanced"),
    "rouge_1": ("ROUGE-1", "words shared with the reference, found and false balanced"),
    "rouge_2": ("ROUGE-2", "pairs of words shared with the reference, balanced"),
    "bleu": ("BLEU", "runs of up to four words that the references hold"),
    "chrf": ("chrF", "runs of up to six letters shared with the references, balanced"),
    "exact_match": ("Word for word", "texts that are the reference itself"),
    "aurc": ("Risk over all coverages", "area under the risk–coverage curve, lower is better"),
}

METHODS = {
    "tfidf": "Word and letter statistics",
    "probe": "Pretrained encoder, new last layer",
    "contrastive": "Pretrained encoder, all of it trained, like texts drawn together",
    "full": "Pretrained model, all of it trained",
    "scratch": "Network with random weights, all of it trained",
    "lora": "Pretrained model, low-rank updates trained",
    "adalora": "Pretrained model, low-rank updates of shared-out rank trained",
    "ia3": "Pretrained model, factors of its channels trained",
    "adapter": "Pretrained encoder, small networks inside it trained",
    "prefix": "Pretrained encoder, keys and values in each layer trained",
    "prompt": "Pretrained encoder, words before each text trained",
    "self_training": "Trained on its own guesses as well",
    "zero_shot": "Pretrained encoder, no labelled rows",
}

SCOPE = {
    "energy": "Energy",
    "max_softmax": "Largest probability",
    "mahalanobis": "Distance to the classes",
    "knn": "Distance to known texts",
    "none": "None",
}

KINDS = {
    "classify": "one label for each text",
    "pair": "one label for each pair of texts",
    "multilabel": "any number of labels for each text",
    "tag": "entities in each text",
    "generate": "a written answer to each prompt",
    "seq2seq": "a text written from each text",
}


def metric_name(name: Any) -> str:
    """What a score is called."""
    return METRICS.get(str(name), (str(name).replace("_", " "), ""))[0]


def method_name(name: Any) -> str:
    """What a way of training is called, with the word the recipe uses."""
    known = METHODS.get(str(name))
    return f"{known} ({name})" if known else str(name)
