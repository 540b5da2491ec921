"""Records: files of many formats as objects with named fields."""
