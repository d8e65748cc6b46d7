# Unit tests, a fragment for each layer.
include tests/unit/base.mk
