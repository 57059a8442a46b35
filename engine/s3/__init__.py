"""One S3 client and one table of its errors, for voices and for finished audio."""
