"""Pictures and documents.

pictures   decoding, turning, shrinking and encoding anew, in a process of its own (encoding)
storage    where the files are, by the digest of their content
uploads    taking one in, and forgetting what nothing shows
attaching  what a subject shows, and reading it
links      signed addresses, good for some minutes
"""
