# One target for each thing that must hold; `make check` runs them all, as CI does (.ci/run).
# Needs the development tools: pip install -c constraints.txt -e '.[dev]', in a virtual environment that is active.

.PHONY: check demo test slow lint types imports docs format clean

check: lint types imports docs test slow demo

demo:  ## the recipe of the README on generated conversations
	ercframe run recipes/sdt_iemocap.yaml --demo

test:  ## the quick tests
	pytest

slow:  ## the tests that train or install something, or need an extra
	pytest -m "slow or extra" -n 2 --dist worksteal

lint:  ## style
	ruff check .
	ruff format --check .

types:  ## mypy, strict
	mypy

imports:  ## who may import whom
	lint-imports

docs:  ## the documentation, warnings are errors: docs/_build/html/index.html
	sphinx-build -W --keep-going -q docs docs/_build/html

format:  ## let ruff put the source in order
	ruff check --fix .
	ruff format .

clean:  ## remove what can be made again
	rm -rf build dist docs/_build docs/reference/generated .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
