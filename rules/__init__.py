"""Rules: the filter language, from YAML and CEL to verdicts."""
