"""OpenSearch and Elasticsearch: one text field that holds impacts as term frequencies, or a field of weights."""
