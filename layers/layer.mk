# How every layer is built: `sam build` runs its Makefile here, in the source tree (samconfig.toml, build_in_source).
# A Makefile may add SOURCES, folders of its own to copy, and UNUSED, globs below python/ of what nobody imports.
# Copies, not links: strip must not reach into uv's cache.
SITE = $(ARTIFACTS_DIR)/python

define build-layer
	uv pip install --quiet --target "$(SITE)" --link-mode copy --python-version 3.13 \
		--python-platform x86_64-manylinux_2_28 --only-binary :all: --no-deps --require-hashes -r requirements.txt
	$(foreach source,$(SOURCES),cp -R $(source) "$(SITE)/";)
	cd "$(SITE)" && rm -rf bin $(UNUSED)
	find "$(SITE)" -type d \( -name tests -o -name __pycache__ \) -prune -exec rm -rf {} +
	find "$(SITE)" -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '*.a' \) -delete
	if command -v strip > /dev/null; then find "$(SITE)" -name '*.so*' -exec strip --strip-unneeded {} +; fi
	python3.13 -m compileall -q -j 0 -s "$(ARTIFACTS_DIR)" -p /opt --invalidation-mode unchecked-hash "$(SITE)"
endef
