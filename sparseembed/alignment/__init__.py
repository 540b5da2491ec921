"""Dense embedding to vocabulary scores: the decoding matrix, the adjustment before it, composed rows."""
