"""From runs to figures: measures, significance, TREC run files and tables."""
