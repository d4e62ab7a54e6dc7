/*0475e3cb7d0ddf5156553ba44bb97bfcc0c85ee52f9ab04190dbdbb2c2a30d55*/
const r=12e4;let o=0;const c=()=>Date.now()-o,n=()=>o,a=e=>{o=e};function s(e){const t=Date.now()-Date.parse(e??"");Number.isNaN(t)||(o=Math.abs(t)<12e4?0:t)}export{n as clockError,s as compareClock,c as now,a as setClockError};
