// Package snapshot writes down a process's state and reads it back in the next
// one: in-place upgrades and restarts hand connections over with it.
//
// A snapshot is a sequence of fields without names, in an order that writer and
// reader agree on: unsigned and signed numbers as varints, byte strings with
// their length before them. A record is a byte string of fields. A reader that
// knows more fields than a record has reads zero values for them, and what it
// does not know it skips, so that a version may add fields at a record's end;
// any other change is a new version.
//
// Large byte strings may stand apart from that, in a part of a file that the reader
// maps ([Bulk]): to hand them over takes no copy of them but the writer's.
package snapshot
