"""Assembly of stored segments into finished programmes."""
