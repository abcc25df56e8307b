// Package awsenv starts servers that behave like parts of AWS, or like the object
// store of another cloud. Each listens on a free port of the loopback interface until
// the end of one test.
//
// The servers are other projects' programs. If one is not installed, the test that
// needs it is skipped; if the environment variable CI is set, the server is installed
// if possible, and else the test fails. A [Gate] in front of a server enforces IAM
// policies.
//
// None of the servers is AWS. They are known to differ as follows, so that no test
// may assert these things there:
//
//   - versitygw (posix) keeps objects as files. It accepts no key with a part of
//     more than 255 bytes, no key that begins with "../", and no key that is both a
//     file and a folder. It folds "a/../b" and "./x". A key that ends with a slash
//     has no content. It ignores SSE-C, SSE-KMS, requester-pays and storage classes.
//     The event of a request may have the key of the next request on the same
//     connection.
//   - moto accepts no key with a newline, answers a GET of a delete marker with
//     NoSuchVersion, ignores SSE-C and requester-pays, and checks no signatures and
//     no checksums. It sends no event when a delete marker is made, answers a HEAD of
//     a part with the ETag of the part, ignores the policies of queues, and gives
//     messages to receivers that have gone away.
//   - fake-gcs-server checks no credentials, writes metadata into headers unescaped,
//     and uses the MD5 of the content as ETag, so that two generations may share it.
//   - Azurite answers a condition on a missing blob as one that does not hold, and
//     has no versions and no archive tier to rehydrate from.
package awsenv
