// Package endtoend holds the end-to-end tests of Claimflow: its processes, the
// engine, an emulated Dixa, and failures between them.
package endtoend
