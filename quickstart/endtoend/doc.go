// Package endtoend holds the tests of Claimflow as a whole: its processes, the
// engine, an emulated Dixa, and what goes wrong between them.
package endtoend
