// Package fleet is what an agency tells its docks and cameras: whom cameras
// trust, how they are set, which firmware they get, how long they keep what has
// a receipt. It holds the agency's camera authority.
//
// It promises:
//   - Cameras are told which docks may unlock them, and whose receipts count, as
//     soon as that changes ([Service.RenewTrust]); the number of each statement
//     is above every one before it, also after a restore from an older backup.
//   - A settings profile and a firmware image are told of only when they are
//     durable and their custody event is committed with them.
//   - Firmware comes from a maker that people have named, for the model that it
//     is signed for, and only forward: no counter below one that was published.
//   - What cannot be signed or read leaves the rest of the policy in force, and is
//     in the log.
//
// It does not promise that a camera takes anything of it: cameras judge for
// themselves (proto/camera/SPEC.md section 7), and docks do before them.
//
// The write side asks it for docks, the read side shows it to people, and the
// command line works on it; it knows none of them. Safe for concurrent use.
package fleet
