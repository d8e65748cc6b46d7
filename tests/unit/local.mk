# Unit tests, a fragment for each layer.
include tests/unit/base.mk
include tests/unit/wire.mk
include tests/unit/store.mk
include tests/unit/core.mk
include tests/unit/net.mk
include tests/unit/app.mk
