"""The compiled modules; all other metadata is in pyproject.toml."""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

# PACKBANK_SANITIZE=1 builds with ASan and UBSan (scripts/fuzz); PACKBANK_WERROR=1 turns warnings into errors.
FLAGS = ["-O2", "-g0", "-Wall", "-Wextra", "-Wconversion", "-Wsign-compare"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-g"]
sanitize = SANITIZE if os.environ.get("PACKBANK_SANITIZE") else []
werror = ["-Werror"] if os.environ.get("PACKBANK_WERROR") else []

extensions = [
    Extension(
        f"packbank.cext.{source.stem}",
        [str(source)],
        extra_compile_args=FLAGS + sanitize + werror,
        extra_link_args=sanitize,
    )
    for source in sorted(Path("src/packbank/cext").glob("*.pyx"))
]

setup(
    ext_modules=cythonize(
        extensions,
        compiler_directives={"language_level": 3, "freethreading_compatible": True},
        build_dir="build/cython",
    )
)
