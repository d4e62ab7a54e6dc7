/*5d8a09c28860af04b3c09304075b31daa5ffc01c8ac50fd9df1f1f1b8d03fb67*/
const r=12e4;let o=0;const c=()=>Date.now()-o,n=()=>o,a=e=>{o=e};function s(e){const t=Date.now()-Date.parse(e??"");Number.isNaN(t)||(o=Math.abs(t)<12e4?0:t)}export{n as clockError,s as compareClock,c as now,a as setClockError};
