"""The pages of decisions: the list, one and its whole way, the proofs."""
