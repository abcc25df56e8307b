// Package manifest reads and writes lists that say which checksums objects should have: the lines of md5sum and its
// relatives, SFV lists, BagIt manifests, hashdeep's lists, what PowerShell and certutil print, OCFL inventories, the .sums files of
// copyrite, and the JSON of this program.
//
// A list may come from anyone. Its lines and names are bounded, and what cannot be read is reported with its line, never
// skipped in silence. Reading keeps no more than a line in memory.
package manifest
