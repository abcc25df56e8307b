// Package attestation signs statements about files, and checks such signatures: an in-toto Statement v1
// (https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md) in a DSSE envelope
// (https://github.com/secure-systems-lab/dsse/blob/master/envelope.md). Programs that read attestations of software accept
// them, so that the receiver of a manifest needs none of ours.
package attestation
