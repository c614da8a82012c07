// Package conf reads a program's TOML configuration into its struct and shows the
// effective one. The struct is the manual: each field has its key in the tag toml
// and its explanation in the tag help.
//
// # What it promises
//
// Nothing in a file is silently ignored: a key that the struct does not have is an
// error that names key, file, line where it can be told, and the nearest key that
// exists. Values tagged secret:"true" are never shown; those tagged secret:"url"
// are shown without the password in them.
//
// # What it does not promise
//
// It reads one file over the defaults that the struct already holds. Flags and
// environment variables, which go before the file, are the business of each
// program's command line; so is the meaning of values.
//
// The main programs of agent, ingest and firmware-sim call it.
package conf
