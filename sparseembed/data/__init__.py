"""Collections: documents, queries and judgements from BEIR folders, JSONL files, ir_datasets and the built-in one."""
