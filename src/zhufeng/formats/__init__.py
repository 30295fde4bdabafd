"""Number formats, written in zhufeng.hdl; docs/formats.md is their contract."""
