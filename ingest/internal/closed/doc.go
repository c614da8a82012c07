// Package closed runs a program of others on hostile bytes, shut off from all
// that it does not need.
//
// # What it promises
//
// The program gets one file to read and one to write, as descriptors 3 and 4,
// both in memory ([File]): nothing of them ever lies on a disk. It has no
// environment and no standard input. Before it begins, a helper (this program
// once more, which ends in the other's place) sets
//
//   - limits of processor time, memory, size of files, open files, and no core;
//   - no_new_privs;
//   - a seccomp filter: no sockets, no other processes, no mounts, no tracing,
//     no keys, no files in memory;
//   - Landlock: it reads and executes what is under /usr and the folders of
//     libraries, and opens nothing else by a path.
//
// It runs in user, process, network and IPC namespaces of its own where the
// system lets it. When its time is over it is killed. [Result.Closed] names what
// was in force: limits, no_new_privs and the filter always, else nothing runs;
// Landlock and the namespaces where the kernel has them.
//
// # What it does not promise
//
// That the program's result is right: whoever asked for it judges it. Memory may
// be swapped out, as all memory may.
//
// A program that calls Run calls Enter first of all. Run is safe for concurrent use.
package closed
