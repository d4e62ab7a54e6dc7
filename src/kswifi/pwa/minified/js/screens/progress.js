/*6892d7859523b4fc7b0c83f6d5f447f07b1f51c3a005f8c25607da3873e71b27*/
import{formatOctets as d,lastDay as z,sizeName as C}from"../format.js";import{t as s}from"../i18n.js";import{SessionManager as b,storedPackage as D}from"../road.js";import{go as q}from"../router.js";import{useEffect as E,useState as N}from"../state.js";import{isEnded as O,isStored as P,phone as H,progress as I,sessionOf as M}from"../store.js";import{Heading as k,html as n,Icon as l,Note as y}from"../ui.js";function j({id:r}){const[v,_]=N(""),a=M(r),c=I.value[r],S=a?.state;if(E(()=>{a&&!v&&D(a).then(t=>t&&_(t.kid),()=>{})},[S]),!a)return n`<${k} title=${s("session.unknown")} /><a class="btn quiet wide" href="#/home">${s("nav.home")}</a>`;const e=P(a)||a.state==="exhausted",$=O(a)&&!e,o=e?3:["downloaded","transferring"].includes(a.state)?2:1,p=C(a.allowance_octets),x=a.allowance_octets===null?p:d(a.allowance_octets),m=c?.received??0,i=c?.total??a.package_octets,f=$?s(`state.${a.state}`):e?s("progress.ready"):o===2?s("progress.transferring"):s("progress.downloading",{size:p}),u=o===2&&!H.value,g=c?.running===!1||!c,w=t=>o>t||e?"done":o===t?"now":"",h=t=>o>t||e?n`<${l} name="check" />`:t;return n`
<${k} title=${f} lead=${$?a.reason??"":s("until",{day:z(a.valid_until)})} /><div class="card"><div class="road" aria-hidden="true"><span class=${`node ${o>=1?"on":""}`}><${l} name="wifi" /></span><span class=${`leg ${o>=2?"on":o===1&&!g?"on moving":""}`}></span><span class=${`node ${o>=2?"on":""}`}><${l} name="phone" /></span><span class=${`leg ${e?"on":o===2&&!g&&!u?"on moving":""}`}></span><span class=${`node ${e?"on":""}`}><${l} name="chip" /></span></div></div><ol class="steps card"><li class=${w(1)}><span class="bullet">${h(1)}</span><b>${s(o>1?"progress.downloaded":"progress.downloading",{size:p})}</b><div class="body small"><span class="soft">${s("progress.right",{size:x,octets:i?d(i):"…"})}</span>${o===1&&i?n`
<div
class="gauge"
role="progressbar"
aria-label=${f}
aria-valuemin="0"
aria-valuemax=${i}
aria-valuenow=${m}
><i style=${{width:`${100*m/i}%`}}></i></div><span class="num">${s("progress.octets",{received:d(m),total:d(i)})}</span>
`:null}
${v&&n`<span class="row" style="gap:.4rem"><span class="mark"><${l} name="seal" /></span>${s("seal.ok")}</span>`}</div></li><li class=${w(2)}><span class="bullet">${h(2)}</span><b>${s(e?"progress.transferred":"progress.transferring")}</b><div class="body small"><span class="soft">${s(e?"progress.proved":"progress.transfer_lead")}</span></div></li><li class=${e?"done":""}><span class="bullet">${e?n`<${l} name="check" />`:3}</span><b>${s("progress.ready")}</b></li></ol>${c?.problem&&!e&&n`<${y} kind="error" live>${c.problem}<//>`}
${u&&n`<${y} icon="chip">${s("progress.install")}<//>`}<div class="act stick">${e?n`<a class="btn wide" href=${`#/activate/${r}`}>${s("activate.button")}</a>`:$?n`<a class="btn wide" href="#/choose">${s("home.download")}</a>`:u?n`<a class="btn wide" href=${`#/activate/${r}`}>${s("activate.install")}</a>`:g?n`<button class="btn wide" onClick=${()=>b.resumeDownload(r)}><${l} name="play" />${s("resume")}</button>`:n`<button class="btn quiet wide" onClick=${()=>b.pauseDownload(r)}><${l} name="pause" />${s("pause")}</button>`}
${!e&&!$&&n`<button
class="btn plain wide"
onClick=${async()=>{await b.cancel(r),q("home")}}
>${s("cancel")}</button>`}</div>
`}export{j as default};
