#!/bin/sh
# core/access_x509 takes the ids that Java's X500Principal takes, and no other: ZooKeeper's x509 scheme asks it. Compares
# the table of tests/lib/x509_ids.h and 20,000 random names.
set -eu

src=${ZOOLITE_SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${ZOOLITE_BUILDDIR:-$src}
java=${JAVA:-/usr/bin/java}
seed=${SEED:-$(date +%j)}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

if [ ! -x "$java" ]; then
	echo "no java here: skipped"
	exit 77
fi

compare()	# NAME LEAST-OF-EACH
{
	"$java" "$src/tests/interop/java/X509Ids.java" <"$dir/$1.ours" >"$dir/$1.java"
	if ! diff "$dir/$1.ours" "$dir/$1.java" >"$dir/diff"; then
		echo "ours (<) and Java's (>), in hexadecimal:" >&2
		head -n 20 "$dir/diff" >&2
		exit 1
	fi
	for verdict in yes no; do
		count=$(grep -c "	$verdict\$" "$dir/$1.java")
		if [ "$count" -lt "$2" ]; then
			echo "only $count names of $1 are $verdict, at least $2 are expected" >&2
			exit 1
		fi
		echo "$1: $count names that both say $verdict to"
	done
}

"$build/tests/interop/x509_ids" table >"$dir/table.ours"
compare table 50
echo "seed $seed"
"$build/tests/interop/x509_ids" random "$seed" 20000 >"$dir/random.ours"
compare random 4000
