// Package ledger is the arithmetic of completeness: what cameras ever showed,
// held against what the store has.
//
// It promises to name every recording that was shown and is not stored, every
// number that a counting camera gave out and never showed, every item that the
// custody record speaks of and the catalog does not hold, and every item whose
// bytes are gone or short; each with a reason, with where it was seen last, and
// with whether it is certain or a hint. Numbers that somebody decided not to
// count are told of as such, and never those above the lowest that the camera
// itself has given; what somebody has settled is told of as settled. All its functions are pure: rows in,
// findings out, the same for the same rows in any order.
//
// It does not open blobs: that their bytes are right is fsck's part. It cannot
// know of a recording that a camera without a count of its own never showed.
//
// Package complete gathers the rows, custody asks it at each docking. It does
// no I/O, and may be called from several goroutines at once.
package ledger
