// Package vaulttest is the suite of promises that every store of blobs keeps. A
// backend is done when Run passes. For tests only.
package vaulttest
