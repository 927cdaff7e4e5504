import assert from "node:assert/strict";
import { parseAddress, shownAddress } from "../../core/remote/address.ts";

describe("addresses of objects", () => {
  const known: readonly (readonly [url: string, address: object])[] = [
    ["s3://bucket/mv/jobs/1/video.mp4", { kind: "s3", bucket: "bucket", key: "mv/jobs/1/video.mp4" }],
    ["s3://my.bucket-1/a b%20?#x", { kind: "s3", bucket: "my.bucket-1", key: "a b%20?#x" }],
    ["s3://bucket//double", { kind: "s3", bucket: "bucket", key: "/double" }],
    ["gs://my_bucket/ü.mp4", { kind: "google", bucket: "my_bucket", key: "ü.mp4" }],
    ["azure://account1/box/a/b", { kind: "azure", account: "account1", container: "box", key: "a/b" }],
    ["azure://account1/$web/index", { kind: "azure", account: "account1", container: "$web", key: "index" }],
    [
      "https://account1.blob.core.windows.net/box/a%20b/%C3%BC?sv=1&sig=x",
      { kind: "azure", account: "account1", container: "box", key: "a b/ü" },
    ],
    ["https://my.films.s3.eu-west-1.amazonaws.com/a/b%20c.mp4", { kind: "s3", bucket: "my.films", key: "a/b c.mp4" }],
    ["https://films.s3.amazonaws.com/a.mp4?X-Amz-Signature=1", { kind: "s3", bucket: "films", key: "a.mp4" }],
    ["https://films.s3.dualstack.us-west-2.amazonaws.com/a.mp4", { kind: "s3", bucket: "films", key: "a.mp4" }],
    ["https://s3.us-west-2.amazonaws.com/films/a/b.mp4", { kind: "s3", bucket: "films", key: "a/b.mp4" }],
    ["https://s3-us-west-2.amazonaws.com/films/a.mp4", { kind: "s3", bucket: "films", key: "a.mp4" }],
    ["https://storage.googleapis.com/films/a/b.mp4", { kind: "google", bucket: "films", key: "a/b.mp4" }],
    ["https://films.storage.googleapis.com/a.mp4", { kind: "google", bucket: "films", key: "a.mp4" }],
    ["https://account1.blob.core.windows.net/root.txt", { kind: "azure", account: "account1", container: "$root", key: "root.txt" }],
  ];
  for (const [url, address] of known) it(`S1.6: ${url}`, () => assert.deepEqual(parseAddress(url), address));

  const unknown = [
    "",
    "s3:",
    "s3://",
    "s3://bucket",
    "s3://bucket/",
    "s3:///key",
    "s3://b/key",
    "s3://user:secret@bucket/key",
    "s3://bucket/a/../b",
    "s3://bucket/./b",
    "gs://bucket/..",
    "s3://bucket/a\0b",
    `s3://bucket/${"k".repeat(1025)}`,
    "S3://bucket/key",
    "azure://account1/box",
    "azure://Account/box/key",
    "azure://account1/B/key",
    "http://account1.blob.core.windows.net/box/key",
    "https://account1.blob.core.windows.net:444/box/key",
    "https://account1.blob.core.windows.net.example.org/box/key",
    "https://account1.blob.core.windows.net/box/%ZZ",
    "https://account1.blob.core.windows.net/box/a/../../other/key",
    "https://account1.blob.core.windows.net/box/%2e%2e/key",
    "https://example.org/video.mp4",
    "https://films.s3.amazonaws.com.example.org/a.mp4",
    "https://s3.amazonaws.com/films",
    "https://notstorage.googleapis.com/films/a.mp4",
    "https://",
    "file:///etc/passwd",
    "/outputs/video.mp4",
  ];
  for (const url of unknown) it(`S1.6: ${JSON.stringify(url.slice(0, 70))} is none`, () => assert.equal(parseAddress(url), undefined));

  it("S1.6: is shown without what is secret", () => {
    assert.equal(shownAddress("https://a.example/b/c?X-Amz-Signature=1#d"), "https://a.example/b/c");
    assert.equal(shownAddress("https://user:secret@a.example/b"), "https://a.example/b");
    assert.equal(shownAddress("s3://id:secret@bucket/key"), "s3://bucket/key");
    assert.equal(shownAddress("s3://bucket/what?#@now"), "s3://bucket/what?#@now");
    assert.equal(shownAddress("s3://bucket/a.mp4?X-Amz-Signature=1&X-Amz-Date=2"), "s3://bucket/a.mp4");
    assert.equal(shownAddress("gs://bucket/a=b.mp4?GoogleAccessId=1"), "gs://bucket/a=b.mp4");
    assert.equal(shownAddress("s3://id:sec/ret+1@bucket/key"), "s3://bucket/key");
    assert.equal(shownAddress("https://user:p@ss@a.example/b"), "https://a.example/b");
    assert.equal(shownAddress("http://a.example:9000/b/c@2x.png"), "http://a.example:9000/b/c@2x.png");
    assert.equal(shownAddress("\nHTTPS://user:secret@a.example/b?sig=1\n"), "HTTPS://a.example/b");
    assert.equal(shownAddress("a.example/b?token=1"), "a.example/b");
  });
});
