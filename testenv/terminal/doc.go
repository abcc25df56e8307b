// Package terminal opens terminals for tests, on Linux.
package terminal
