// Package awsenv starts servers that behave like parts of AWS, or like the object store
// of another cloud, each on a free port of the loopback interface, for the time of
// one test.
//
// Nobody of this project wrote them. They are started when they are found; where
// the environment variable CI is set, a test that needs one fails without it. None
// is AWS. What is known to differ, so that no test may assert it there:
//
//   - versitygw (posix) keeps objects as files: no key with a part of more than 255
//     bytes, none that begins with "../" or is both a file and a folder; it folds
//     "a/../b" and "./x"; a key that ends with a slash has no content. It ignores
//     SSE-C, SSE-KMS, requester-pays and storage classes. The event of a request
//     may have the key of the next one on the same connection.
//   - moto knows no key with a newline, answers a GET of a delete marker with
//     NoSuchVersion, ignores SSE-C and requester-pays, checks no signatures and
//     no checksums. It sends no event when a delete marker is made, answers a HEAD of
//     a part with the ETag of the part, heeds no policies of queues, and gives
//     messages to receivers that have gone away.
//   - fake-gcs-server checks no credentials, writes metadata into headers as it is, and has
//     the MD5 of the content for an ETag, also of two generations.
//   - Azurite answers a condition on a blob that is missing as one that does not hold, and
//     has no versions and no archive to return from.
package awsenv
