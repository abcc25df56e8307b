// Package manifest reads and writes lists that say which checksums objects should have: the lines of md5sum and its
// relatives, BagIt manifests, hashdeep's lists, OCFL inventories, the .sums files of copyrite, and the rows of this program.
//
// A list may come from anyone. Its lines and names are bounded, and what cannot be read is reported with its line, never
// skipped in silence. Reading keeps no more than a line in memory.
package manifest
