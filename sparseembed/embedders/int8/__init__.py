"""A second runtime for encoding on a CPU: matrix products of 8-bit integers, everything else in float32."""
