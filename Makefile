# `make solve` and `make test` each work from a bare clone: the environment is made when it is not there.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PUZZLE ?= 4 9 10 13

# llama-cpp-python is built from source. What this project never links is left out of that build: the vision
# library by its own option, and llama.cpp's "common" library, which the source distribution switches on by
# force, by a variable that is set before it. On two cores this took the build from about 8 minutes to 2.
# Your own CMAKE_ARGS (-DGGML_CUDA=on, -DGGML_METAL=on) are kept.
SLIM := $(CURDIR)/$(VENV)/without_common.cmake

.PHONY: solve test check install peers clean
.DEFAULT_GOAL := help

help:
	@echo "make solve   install into $(VENV) and search for a Game of 24 solution, live (PUZZLE='4 9 10 13')"
	@echo "make test    run the test suite"
	@echo "make check   ruff, mypy --strict, and the tests"
	@echo "make peers   install what the benchmarks compare with (llama-server: about 10 minutes on two cores)"
	@echo "make clean   remove $(VENV)"

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "coat needs Python 3.11 or newer; set PYTHON=python3.12 (or the one you have)."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet "torch==2.13.0"
	@echo 'set(LLAMA_BUILD_COMMON OFF)' > '$(SLIM)'
	@echo "Installing coat and building llama.cpp: about 4 minutes on two cores."
	SKBUILD_NINJA_MAKE_FALLBACK=false CMAKE_ARGS="$(CMAKE_ARGS) -DLLAVA_BUILD=OFF -DCMAKE_PROJECT_INCLUDE='$(SLIM)'" \
	  $(BIN)/python -m pip install --quiet --editable ".[models,notebook,training,dev]"
	@touch $@

solve: install
	$(BIN)/coat solve --task game24 "$(PUZZLE)" --tokens 100000 --seconds 600

test: install
	$(BIN)/python -m pytest --numprocesses auto --dist loadgroup

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(MAKE) test

# What the benchmarks compare with: two libraries, and a llama-server from the very source that llama-cpp-python came in.
PEERS := $(VENV)/peers
peers: install
	$(BIN)/python -m pip install --quiet "treequest==0.3.3" "chromadb==1.5.9" "mem0ai==2.2.1"
	$(BIN)/python -m pip install --quiet --no-deps "llm-reasoners==1.0.2"
	mkdir -p '$(PEERS)'
	$(BIN)/python -m pip download --quiet --no-deps --no-binary llama-cpp-python --dest '$(PEERS)' \
	  "llama-cpp-python==$$($(BIN)/python -c 'from importlib.metadata import version; print(version("llama-cpp-python"))')"
	tar -xzf '$(PEERS)'/llama_cpp_python-*.tar.gz -C '$(PEERS)' --strip-components=1
	cmake -S '$(PEERS)/vendor/llama.cpp' -B '$(PEERS)/build' -DCMAKE_BUILD_TYPE=Release -DLLAMA_BUILD_TESTS=OFF \
	  -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF $(CMAKE_ARGS)
	cmake --build '$(PEERS)/build' --target llama-server --parallel
	ln -sf ../peers/build/bin/llama-server '$(BIN)/llama-server'

clean:
	rm -rf $(VENV)
