"""The server: bundles answered over REST and gRPC, for named callers, within limits. No torch."""
