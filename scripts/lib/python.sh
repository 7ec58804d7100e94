# shellcheck shell=bash
# How scripts/setup comes by Python 3.14.2 or a later 3.14. It is read by it, not run.
#
# Not 3.15: several of Home Assistant's requirements are not built for it yet, and would
# need compilers, Rust's among them.

: "${tools:?}" "${uv:?}" "${log:?}"

export UV_PYTHON_INSTALL_DIR=$tools/python # where uv keeps the Pythons it downloads
export UV_PYTHON_INSTALL_BIN=0             # or it links them in ~/.local/bin
export UV_PYTHON_DOWNLOADS=manual          # only where we ask for it

python= # the one to use, once it is found

# Print the path of the Python behind a command, or what is wrong with it.
probe() {
    "$1" - 2>/dev/null <<'PYTHON'
import sys

version = ".".join(str(part) for part in sys.version_info[:3])
if not (3, 14, 2) <= sys.version_info[:3] < (3, 15):
    print("is " + version)
    sys.exit(1)
try:
    import bz2, ctypes, lzma, sqlite3, ssl, zlib
except ImportError as error:
    print("is %s without %s" % (version, error.name))
    sys.exit(1)
print(sys._base_executable)  # rather than that of an active virtual environment
PYTHON
}

is_usable() {
    probe "$1" >/dev/null
}

# Take the Python behind a command if it is one for us; else note why not.
accept() { # command, what to call it
    local found
    if ! found=$(probe "$1"); then
        tried="$tried
  $2 ${found:-does not run}"
    elif ! logged "$uv" venv --clear --no-project --python "$found" "$tools/trial"; then
        tried="$tried
  $2 cannot make a virtual environment: $(reason)"
    else
        python=$found
        echo "Python $("$python" -c 'import platform; print(platform.python_version())') found: $python"
    fi
    rm -rf "$tools/trial"
    [ -n "$python" ]
}

python_on_path() {
    local name path
    for name in python3.14 python3 python; do
        while read -r path; do
            if accept "$path" "$path"; then return; fi
        done < <(type -aP "$name")
    done
    return 1
}

# Its servers may be out of reach: rather say so soon than try for long.
python_from_uv() {
    local range='>=3.14.2,<3.15'
    echo "Downloading Python 3.14 ..."
    if UV_HTTP_RETRIES=1 UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-20} logged "$uv" python install "$range"; then
        accept "$("$uv" python find --managed-python "$range")" "uv's download"
    else
        tried="$tried
  uv's download: $(reason)"
        return 1
    fi
}

python_from_debian() {
    echo "Assembling Python 3.14 from Debian's packages ..."
    if logged scripts/lib/python-from-debian "$tools/python-debian"; then
        accept "$tools/python-debian/usr/bin/python3.14" "what Debian's packages gave"
    else
        tried="$tried
  Debian's packages: $(reason)"
        return 1
    fi
}

# One that an earlier run fetched, unless the folder has moved since.
python_at_hand() {
    local path
    for path in "$tools"/python*/*/bin/python3.14; do
        if is_usable "$path" && accept "$path" "$path"; then return; fi
    done
    return 1
}

# Set `python`, by the first road that leads there.
find_python() {
    tried=
    python_on_path || python_at_hand || python_from_uv || python_from_debian || fail "\
Python 3.14.2 or a later 3.14 is needed. These ways were tried:$tried
Install it, for example from python.org, and run this again. Details: $log"
}
