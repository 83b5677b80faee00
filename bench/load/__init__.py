"""What ``bench/serve.py`` is made of: servers, load on them, and the engine beside them."""
