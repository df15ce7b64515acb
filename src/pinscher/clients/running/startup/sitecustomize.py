"""Pins the interpreter that starts with this folder on its path; ``pinscher run`` puts it there."""


def _package():  # type: ignore[no-untyped-def]  # noqa: ANN202  (read by whatever Python the program has)
    """Import the very pinscher that this folder is part of, whatever is installed here."""
    import importlib.util
    import os
    import sys

    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    if "pinscher" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "pinscher", os.path.join(root, "__init__.py"), submodule_search_locations=[root]
        )
        sys.modules["pinscher"] = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
        spec.loader.exec_module(sys.modules["pinscher"])  # type: ignore[union-attr]
    from pinscher.clients import running

    return running


def _begin():  # type: ignore[no-untyped-def]  # noqa: ANN202
    """Pin, or end the process before the program begins."""
    import os
    import sys

    try:
        if sys.version_info < (3, 11):
            raise RuntimeError("Python 3.11 or newer is needed, found " + sys.version.split()[0])
        _package().activate(os.environ)  # type: ignore[no-untyped-call]
    except BaseException as error:
        sys.stderr.write(
            "pinscher: error: this program was to be pinned, and cannot be: " + str(error) + "\n"
            "pinscher: hint: it was not started; nothing was sent\n"
        )
        sys.stderr.flush()
        # What is raised here, the interpreter would print and go on without pins.
        os._exit(2)


def _go_on():  # type: ignore[no-untyped-def]  # noqa: ANN202
    """Import the sitecustomize that stands behind this one, if there is one."""
    import os
    import sys

    here, ours, path = os.path.dirname(os.path.abspath(__file__)), sys.modules.pop("sitecustomize", None), sys.path[:]
    sys.path[:] = [entry for entry in path if os.path.abspath(entry or ".") != here]
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        if ours is not None:
            sys.modules["sitecustomize"] = ours
        if error.name != "sitecustomize":
            raise


_begin()  # type: ignore[no-untyped-call]
_go_on()  # type: ignore[no-untyped-call]
