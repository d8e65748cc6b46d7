#!/bin/sh
# The tests of cut power and failing disks against a store, or a gate of replies, that breaks one promise: they must
# find the loss in every one of them. A test that passes them all would also pass a broken server. Status 1 is "lost
# something"; anything else is no find.
dir=${ZOOLITE_BUILDDIR:-.}/tests/fault
status=0

# Replay of unflushed rows: the bare store meets it only now and then, the whole core at once.
store="no_flush early_unlink no_start_sync"
core="marks_ignored core_no_flush core_replay_unflushed core_early_unlink"
points="points_early_unlink"
io="io_failed_commit"

for mutant in ${MUTANTS:-$store $core $points $io}; do
	case $mutant in
	points_*) arguments= ;;
	io_*) arguments="0 40" ;;
	*) arguments="-c 4000 -r 300" ;;
	esac
	# shellcheck disable=SC2086 # several
	out=$("$dir/mutant_$mutant" $arguments 2>&1)
	rc=$?
	if [ $rc -eq 1 ] && printf '%s\n' "$out" | grep -q 'LOST in '; then
		echo "mutant $mutant: found: $(printf '%s\n' "$out" | grep 'LOST in ')"
	else
		echo "mutant $mutant: NOT found (status $rc):"
		printf '%s\n' "$out"
		status=1
	fi
done
exit $status
