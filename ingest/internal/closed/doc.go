// Package closed runs a foreign program that reads hostile input, with as little around
// it as the system allows.
//
// # What it promises
//
// The program gets the open files that are handed to it and no other: they are memory,
// and it names them /proc/self/fd/3 and so on. It has no environment and no input. Time on
// the processor, time as such, memory, and the size of what it writes are bounded; it
// gets no new rights, leaves no core, and ends when its caller does. On Linux it is also
// kept from all files but the system's programs and libraries (Landlock, from Linux
// 5.13 on), and has no network and sees no other process (namespaces of its own), where
// the system lets an ordinary user make them; [Walls] says which.
//
// # What it does not promise
//
// Without Landlock and namespaces the program can read what this process can: run the
// server as a user of its own. It is no sandbox against faults of the kernel.
//
// A program that uses it calls [Main] before anything else: between fork and exec the
// program itself stands in and builds the walls. derive calls it.
package closed
