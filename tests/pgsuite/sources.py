"""PostgreSQL's own regression tests, ready to run: sources from Debian, regress.so built from them.

The source package is not installed: apt downloads it with lists of its own, so that the machine's
configuration stays as it is. Without a network and without FANOUT_PGSUITE_SOURCE (an unpacked source
tree of PostgreSQL) there is nothing to run, which Missing says.
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tarfile

from fanout_test import places

HOUSE = os.path.join(places.BUILD, "pgsuite")
LIBRARIES = ("autoinc.so", "refint.so")  # of contrib/spi: the tests load them from beside regress.so
APT_SECONDS = 300


class Missing(Exception):
    """The sources cannot be had here: a reason to skip, not to fail."""


def _output(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, check=False, timeout=APT_SECONDS,
                          env={**os.environ, "LC_ALL": "C"}, **options)
    return done.returncode, done.stdout


def server_version():
    _, text = _output([os.path.join(places.postgres_bin(), "postgres"), "--version"])
    return re.search(r"(\d+)\.(\d+)", text).groups()


def _apt_options(folder):
    """Source packages from where this machine has its binary packages, in lists of our own."""
    for part in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(folder, part), exist_ok=True)
    status, text = _output(["apt-get", "indextargets", "--format",
                            "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)",
                            "Created-By: Packages"])
    lines = sorted({"|".join(line.split("|")[1:]) for line in text.splitlines()
                    if line.startswith("Debian|")})
    if status or not lines:
        raise Missing("apt knows no Debian archive")
    with open(os.path.join(folder, "sources.list"), "w", encoding="utf-8") as file:
        for line in lines:
            uri, release, component = line.split("|")
            file.write(f"deb-src {uri} {release} {component}\n")
    return [f"-oDir::Etc::sourcelist={folder}/sources.list", "-oDir::Etc::sourceparts=-",
            f"-oDir::State::lists={folder}/lists", f"-oDir::Cache={folder}/cache",
            "-oAPT::Sandbox::User=root", "-oAcquire::Retries=1", "-oAcquire::http::Timeout=20"]


def _download(major, minor):
    """The original tar file: of this minor release if it can be had, else of one near it."""
    folder = os.path.join(HOUSE, "apt")
    package = f"postgresql-{major}"
    options = _apt_options(folder)
    # Else an archive that does not answer is no more than a warning, and the reason is lost.
    status, text = _output(["apt-get", "-q", *options, "-oAPT::Update::Error-Mode=any", "update"])
    if status:
        raise Missing(f"apt-get update: {text.strip().splitlines()[-1]}")
    _, text = _output(["apt-cache", *options, "showsrc", package])
    versions = sorted(set(re.findall(r"^Version: (\S+)$", text, re.MULTILINE)), reverse=True)
    versions.sort(key=lambda version: not version.startswith(f"{major}.{minor}-"))
    for version in versions:
        status, text = _output(["apt-get", "-q", *options, "source", "--download-only",
                                f"{package}={version}"], cwd=folder)
        found = glob.glob(os.path.join(folder, f"{package}_{version.split('-')[0]}.orig.tar.*"))
        if status == 0 and found:
            return found[0]
    raise Missing(f"no source package of {package} can be downloaded: "
                  f"{text.strip().splitlines()[-1] if text.strip() else 'apt knows none'}")


def find():
    """The source tree, downloaded if need be: of the tests' folder only."""
    given = os.environ.get("FANOUT_PGSUITE_SOURCE")
    if given:
        if not os.path.isfile(os.path.join(given, "src", "test", "regress", "regress.c")):
            sys.exit(f"FANOUT_PGSUITE_SOURCE: {given} is no source tree of PostgreSQL")
        return given
    major, minor = server_version()
    kept = sorted(glob.glob(os.path.join(HOUSE, f"postgresql-{major}.*")))
    if kept:
        return kept[-1]
    if not shutil.which("apt-get"):
        raise Missing("no apt-get; FANOUT_PGSUITE_SOURCE may name PostgreSQL's sources")
    os.makedirs(HOUSE, exist_ok=True)
    try:
        archive = _download(major, minor)
    except subprocess.TimeoutExpired:
        raise Missing("the Debian archive does not answer") from None
    with tarfile.open(archive) as tar:
        members = [m for m in tar.getmembers() if "/src/test/regress/" in m.name]
        top = members[0].name.split("/")[0]
        tar.extractall(os.path.join(HOUSE, "new"), members=members)
    os.rename(os.path.join(HOUSE, "new", top), os.path.join(HOUSE, top))
    return os.path.join(HOUSE, top)


def _build_library(source, folder):
    """regress.so, the C functions of the tests, and the libraries they expect beside it."""
    pg_config = f"/usr/lib/postgresql/{server_version()[0]}/bin/pg_config"  # a copy of it knows no headers
    asked = [_output([pg_config, option])[1].strip()
             for option in ("--includedir-server", "--pkglibdir")]
    status, text = _output(["cc", "-O1", "-fPIC", "-shared", "-w", f"-I{asked[0]}", "-o",
                            os.path.join(folder, "regress.so"),
                            os.path.join(source, "src", "test", "regress", "regress.c")])
    if status:
        raise RuntimeError(f"regress.so could not be built\n{text}")
    for name in LIBRARIES:
        shutil.copy(os.path.join(asked[1], name), folder)


def prepare(folder):
    """Copies the tests to folder, for the server's user to read. Returns where, and their release."""
    source = find()
    suite = os.path.join(folder, "suite")
    shutil.copytree(os.path.join(source, "src", "test", "regress"), suite)
    _build_library(source, suite)
    for path, _, files in os.walk(suite):
        os.chmod(path, 0o755)
        for name in files:
            os.chmod(os.path.join(path, name), 0o644)
    return suite, os.path.basename(os.path.normpath(source)).replace("postgresql-", "PostgreSQL ")
