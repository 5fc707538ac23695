// What dma-mapping-unchecked asks of dma_map_single(), as a semantic patch: the bench runs both over one tree.
virtual report

@r exists@
expression h, E;
position p;
@@
 h = dma_map_single@p(...);
 ... when != dma_mapping_error(..., h)
     when != h = E
 return ...;

@script:python depends on r@
p << r.p;
@@
print("%s:%s: unchecked" % (p[0].file, p[0].line))
