# Shared by tools/run and tools/check: where things are, what must be installed. To be sourced, with set -eu.

tree=$(cd "$(dirname "$0")/.." && pwd)

# What a build needs on a fresh Debian 12.
build_packages="gcc libc6-dev make autoconf automake pkg-config libsqlite3-dev libevent-dev libssl-dev zlib1g-dev libxxhash-dev \
	libsystemd-dev openssl"

say()
{
	printf '%s\n' "$*" >&2
}

# What stands before a command of root's: nothing for root, who may have no sudo.
sudo_word()
{
	[ "$(id -u)" -eq 0 ] || printf 'sudo '
}

as_root()
{
	$(sudo_word) env DEBIAN_FRONTEND=noninteractive "$@"
}

missing_packages()	# PACKAGE...
{
	for package; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf ' %s' "$package"
	done
}

# Install what is not there; nothing is asked of apt, nor of sudo, where all is. One retry: mirrors have bad moments.
need_packages()	# PACKAGE...
{
	missing=$(missing_packages "$@")
	[ -n "$missing" ] || return 0
	say "installing:$missing"
	for try in 1 2; do
		# shellcheck disable=SC2086 # a list of names
		if as_root apt-get -qq update >&2 &&
			as_root apt-get -qq install --yes --no-install-recommends $missing >&2; then
			return 0
		fi
		[ "$try" = 2 ] || { say "apt failed, once more in 10 s"; sleep 10; }
	done
	say "cannot install:$missing"
	return 1
}

jobs()
{
	nproc 2>/dev/null || echo 2
}

# Make configure where it is missing or older than what it comes from.
need_configure()
{
	if [ ! -x "$tree/configure" ] || [ ! -f "$tree/Makefile.in" ] || [ "$tree/configure.ac" -nt "$tree/configure" ]; then
		"$tree/autogen.sh" >&2
	fi
}

# Configure out of the tree, once for each set of arguments.
configure_in()	# DIR ARGUMENT...
{
	configure_dir=$1
	shift
	need_configure
	mkdir -p "$configure_dir"
	if [ "$(cat "$configure_dir/.arguments" 2>/dev/null)" != "$*" ] || [ ! -f "$configure_dir/Makefile" ]; then
		(cd "$configure_dir" && "$tree/configure" --quiet "$@") >&2
		printf '%s' "$*" >"$configure_dir/.arguments"
	fi
}
