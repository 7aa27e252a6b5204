# Runs pip, and starts what pip starts behind srt's inner wall: builds of packages do not
# get what pip knows of indexes. What pip itself starts pip for, the packages that a
# build needs, is another pip like this one.
import os
import sys

if sys.path and sys.path[0] == "":
    del sys.path[0]  # the working folder is no place to import from


def start():
    import builtins
    import json
    import re
    import runpy
    import shutil
    import subprocess

    code = os.environ.pop("SRT_PIP_CODE")
    boot = json.loads(os.environ.pop("SRT_PIP"))
    os.makedirs(boot["tmp"], 0o700, exist_ok=True)
    os.environ["TMPDIR"] = boot["tmp"]
    os.environ["_PIP_RUNNING_IN_SUBPROCESS"] = "1"  # no other Python

    # pip's settings lie where builds cannot read them.
    files = boot["files"]
    really_open, really_exists = builtins.open, os.path.exists

    def opening(file, *args, **kwargs):
        return really_open(files.get(file, file) if type(file) is str else file, *args, **kwargs)

    def exists(path):
        return type(path) is str and path in files or really_exists(path)

    builtins.open, os.path.exists = opening, exists

    secret = re.compile(r"(://)[^/@\s]+@")
    popen = subprocess.Popen

    class Popen(popen):
        def __init__(self, args, *rest, **kwargs):
            if rest or kwargs.get("shell") or isinstance(args, (str, bytes, os.PathLike)):
                raise TypeError("srt does not know this way of pip to start a program")
            args = [os.fsdecode(a) for a in args]
            env = kwargs.pop("env", None)
            env = dict(os.environ if env is None else env)
            program = os.fsdecode(kwargs.pop("executable", None) or args[0])
            own = ("__pip-runner__.py", "pip", "__env_pip__.zip")
            if args[0] == sys.executable and len(args) > 1 and os.path.basename(args[1]) in own:
                # Its words may have a password in them, which everybody could see.
                env["SRT_PIP"] = json.dumps(dict(boot, script=args[1], args=args[2:]))
                env["SRT_PIP_CODE"] = code
                args = [sys.executable, "-c", boot["start"]]
            elif shutil.which(program, path=env.get("PATH")):
                for name in env:
                    if name.startswith("PIP_"):
                        env[name] = secret.sub(r"\1", env[name])
                # pip knows where it has unpacked what; a link may be there by now. Before 23.1
                # it has setup.py install write the environment.
                place = os.path.abspath(os.fsdecode(kwargs.get("cwd") or "."))
                fetched = place.startswith(boot["tmp"] + os.sep) and "install" not in args
                env["SRT_BUILDS"] = boot["narrow" if fetched else "order"]
                args = [boot["wall"], program] + args
                kwargs["executable"] = boot["srt"]
            super().__init__(args, env=env, **kwargs)

    subprocess.Popen = Popen
    script = boot["script"]
    sys.argv = [script or "pip"] + boot["args"]
    if script:
        runpy.run_path(script, run_name="__main__")
    else:
        runpy.run_module("pip", run_name="__main__", alter_sys=True)


start()
