import cProfile, pstats, sys, threading, json
profs=[]
orig=threading.Thread.run
def run(self):
    p=cProfile.Profile(); profs.append(p)
    try: p.runcall(orig,self)
    except ValueError: orig(self)
threading.Thread.run=run
out=sys.argv[1]
sys.argv=["wct","run","wide1000.yaml","-q","--store",out+".st",*sys.argv[2:]]
from waivern.cli.main import script as main
p0=cProfile.Profile(); profs.append(p0)
try: p0.runcall(main)
except SystemExit: pass
tot={}
for p in profs:
    p.create_stats()
    for (f,l,n),(cc,nc,tt,ct,_) in p.stats.items():
        k=f.split("/src/")[-1].split("site-packages/")[-1]+":"+n
        a=tot.setdefault(k,[0,0.0]); a[0]+=nc; a[1]+=tt
        if "isinstance" in n or "'get' of" in n or "__new__" in n or "getattr" in n:
            for (cf,cl,cn),v in _.items():
                kk="FROM "+n[:22]+" "+cf.split("/src/")[-1]+":"+cn; a=tot.setdefault(kk,[0,0.0]); a[0]+=v[0]
json.dump(tot,open(out+".json","w"))
