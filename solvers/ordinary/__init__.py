"""Initial value problems in one coordinate."""
