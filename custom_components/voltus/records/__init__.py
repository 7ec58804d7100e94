"""Records: what came of each dispatch, sealed by hashes, on a page, and over a season."""
