"""What `ablation.py` and `sweep.py` are made of: term spaces decoded once, and variants measured in them."""
