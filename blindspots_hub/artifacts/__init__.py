"""The bundle: layout, schemas, manifest, reading, writing, validation."""
