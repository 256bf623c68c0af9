"""Networks whose features were learned elsewhere."""
