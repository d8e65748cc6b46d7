#!/bin/sh
# Every name that net/identity prints is the one that Java's X500Principal.getName() prints: ids of ZooKeeper's
# x509 scheme were written by Java. Compares the table of tests/lib/subjects.c and a thousand random names.
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

# What Java does not read at all (a subject that is empty, for example) has no name to compare.
compare()
{
	"$java" "$src/tests/interop/java/SubjectNames.java" "$dir/$1" >"$dir/$1.java"
	awk -F '\t' 'NR == FNR { if ($2 == "refused") skip[$1] = 1; next } !skip[$1]' "$dir/$1.java" "$dir/$1.ours" \
		>"$dir/$1.ours.known"
	grep -v 'refused$' "$dir/$1.java" >"$dir/$1.java.known"
	diff "$dir/$1.ours.known" "$dir/$1.java.known"
	count=$(wc -l <"$dir/$1.java.known")
	if [ "$count" -lt "$2" ]; then
		echo "only $count names of $1 were compared, at least $2 are expected" >&2
		exit 1
	fi
	echo "$1: $count names are the same"
}

mkdir "$dir/table" "$dir/random"
"$build/tests/interop/subject_names" table "$dir/table" >"$dir/table.ours"
compare table 55
echo "seed $seed"
"$build/tests/interop/subject_names" random "$dir/random" "$seed" 3000 >"$dir/random.ours"
compare random 400
